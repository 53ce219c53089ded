-- How far two model versions of the warehouse agree on article types, by catalogued type.
--   model_version          a model version
--   other_model_version    another one
--   article_type           catalogued type
--   products               products that both have seen
--   agreed                 of those, how many get the same type from both
--   agreement              agreed / products, 0 to 1
--   as_catalogued          how many get the catalogued type from the first
--   other_as_catalogued    how many get it from the second
SELECT
  one.model_version,
  other.model_version AS other_model_version,
  products.article_type,
  count(*) AS products,
  count(*) FILTER (WHERE one.predicted_article_type = other.predicted_article_type) AS agreed,
  count(*) FILTER (WHERE one.predicted_article_type = other.predicted_article_type) / count(*)
    AS agreement,
  count(*) FILTER (WHERE one.predicted_article_type = products.article_type) AS as_catalogued,
  count(*) FILTER (WHERE other.predicted_article_type = products.article_type)
    AS other_as_catalogued
FROM predictions AS one
JOIN predictions AS other
  ON other.product_id = one.product_id AND other.model_version > one.model_version
JOIN products ON products.product_id = one.product_id
GROUP BY one.model_version, other.model_version, products.article_type
