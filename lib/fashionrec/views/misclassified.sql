-- Products whose picture shows the current model another article type than the catalogue says;
-- likely errors of the catalogue have the first places.
--   place                  from 1: known_type, then support times probability, decide
--   product_id             product
--   product_display_name   its name
--   article_type           its catalogued type
--   predicted_article_type the type that the model sees
--   predicted_probability  its probability, 0 to 1
--   predicted_accepted     whether that is over the model's own threshold; null: it has none
--   known_type             whether the model ever says the catalogued type: else it cannot be right
--   support                share of its similar products that are catalogued as predicted, 0 to 1
WITH current AS (
  SELECT predictions.*
  FROM predictions JOIN models ON models.model_version = predictions.model_version
  WHERE models.current
),
support AS (
  SELECT
    product_id,
    avg(CASE WHEN neighbour_article_type = predicted_article_type THEN 1.0 ELSE 0.0 END) AS support
  FROM recommendations
  WHERE list = 'similar'
  GROUP BY product_id
),
wrong AS (
  SELECT
    products.product_id,
    product_display_name,
    article_type,
    predicted_article_type,
    predicted_probability,
    predicted_accepted,
    article_type IN (SELECT predicted_article_type FROM current) AS known_type,
    CAST(coalesce(support, 0) AS DOUBLE) AS support
  FROM products
  JOIN current ON current.product_id = products.product_id
  LEFT JOIN support ON support.product_id = products.product_id
  WHERE predicted_article_type <> article_type
)
SELECT
  row_number() OVER (
    ORDER BY known_type DESC, support * predicted_probability DESC, product_id
  ) AS place,
  wrong.*
FROM wrong
