-- Products with a list that are in nobody else's, by list: no shopper is led to them.
--   list                   the list
--   product_id             the product that is never recommended
--   product_display_name   its name
--   gender                 its gender
--   article_type           its catalogued type
--   base_colour            its main colour
--   year                   year of its collection
SELECT
  published.list,
  products.product_id,
  products.product_display_name,
  products.gender,
  products.article_type,
  products.base_colour,
  products.year
FROM (SELECT DISTINCT list, product_id FROM recommendations) AS published
JOIN products ON products.product_id = published.product_id
LEFT JOIN (SELECT DISTINCT list, neighbour_id FROM recommendations) AS recommended
  ON recommended.list = published.list AND recommended.neighbour_id = published.product_id
WHERE recommended.neighbour_id IS NULL
