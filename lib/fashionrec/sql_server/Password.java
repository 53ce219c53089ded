package fashionrec;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import javax.security.sasl.AuthenticationException;
import org.apache.hive.service.auth.PasswdAuthenticationProvider;

/** Lets the user in whom the environment names: Spark has no such class, and compiles this one. */
public class Password implements PasswdAuthenticationProvider {
  public void Authenticate(String user, String password) throws AuthenticationException {
    if (!(is("FASHIONREC_SQL_USER", user) & is("FASHIONREC_SQL_PASSWORD", password))) {
      throw new AuthenticationException("wrong user or password");
    }
  }

  /** Takes as long whatever is given. */
  private static boolean is(String variable, String given) {
    byte[] wanted = System.getenv(variable).getBytes(StandardCharsets.UTF_8);
    return given != null && MessageDigest.isEqual(wanted, given.getBytes(StandardCharsets.UTF_8));
  }
}
