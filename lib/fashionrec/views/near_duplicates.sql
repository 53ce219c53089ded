-- Products that look alike, or nearly so under one name, in clusters: see [near_duplicates].
--   cluster_id             the lowest product_id of the cluster
--   products               how many products the cluster has, 2 or more
--   names                  how many different names: 1 is a name that was catalogued repeatedly
--   product_id             product
--   product_display_name   its name
--   article_type           its catalogued type
--   base_colour            its main colour
--   similarity             cosine with the most similar other product of the cluster, -1 to 1
WITH sizes AS (
  SELECT cluster_id, count(*) AS products, count(DISTINCT product_display_name) AS names
  FROM duplicates JOIN products ON products.product_id = duplicates.product_id
  GROUP BY cluster_id
)
SELECT
  sizes.cluster_id,
  sizes.products,
  sizes.names,
  products.product_id,
  products.product_display_name,
  products.article_type,
  products.base_colour,
  duplicates.similarity
FROM duplicates
JOIN sizes ON sizes.cluster_id = duplicates.cluster_id
JOIN products ON products.product_id = duplicates.product_id
