-- How often each product is recommended, by list: the hubs have the first places.
--   list                   the list
--   place                  from 1, the most recommended; equals share a place
--   product_id             the product that is recommended
--   product_display_name   its name
--   article_type           its catalogued type
--   products               how many products it is recommended for
--   mean_similarity        mean cosine with them, -1 to 1
SELECT
  list,
  rank() OVER (PARTITION BY list ORDER BY count(*) DESC) AS place,
  neighbour_id AS product_id,
  max(neighbour_display_name) AS product_display_name,
  max(neighbour_article_type) AS article_type,
  count(*) AS products,
  avg(similarity) AS mean_similarity
FROM recommendations
GROUP BY list, neighbour_id
