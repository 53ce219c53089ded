-- One row per product that has the list `similar`, with its neighbours side by side.
--   product_id             product
--   product_display_name   the product's name
--   gender                 the product's gender
--   article_type           the product's catalogued type
--   base_colour            the product's main colour
--   neighbour_1            the most similar product
--   neighbour_2            the second most similar; null: the list is shorter
--   neighbour_3            the third
--   neighbour_4            the fourth
--   neighbour_5            the fifth
--   similarity_1           cosine of the product's embedding and the first neighbour's, -1 to 1
--   similarity_5           the same for the fifth neighbour
SELECT
  product_id,
  max(product_display_name) AS product_display_name,
  max(gender) AS gender,
  max(article_type) AS article_type,
  max(base_colour) AS base_colour,
  max(CASE WHEN rank = 1 THEN neighbour_id END) AS neighbour_1,
  max(CASE WHEN rank = 2 THEN neighbour_id END) AS neighbour_2,
  max(CASE WHEN rank = 3 THEN neighbour_id END) AS neighbour_3,
  max(CASE WHEN rank = 4 THEN neighbour_id END) AS neighbour_4,
  max(CASE WHEN rank = 5 THEN neighbour_id END) AS neighbour_5,
  max(CASE WHEN rank = 1 THEN similarity END) AS similarity_1,
  max(CASE WHEN rank = 5 THEN similarity END) AS similarity_5
FROM recommendations
WHERE list = 'similar'
GROUP BY product_id
