"""The web page over the tables: Streamlit, without a JVM."""
