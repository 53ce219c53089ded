-- What is wrong, or worth a look, with products' pictures; a product may have several rows.
--   product_id             product
--   product_display_name   its name
--   article_type           its catalogued type
--   problem                no picture, unusable picture, greyscale, unusual shape, shared picture
--   detail                 why it is unusable, how the picture is shaped, how many products share it
WITH unusable AS (
  SELECT product_id, min(problem) AS detail
  FROM files
  WHERE problem IS NOT NULL AND kind IN ('image', 'link')
  GROUP BY product_id
),
shape AS (SELECT median(width / height) AS usual FROM images),
shared AS (SELECT sha256, count(*) AS products FROM images GROUP BY sha256 HAVING count(*) > 1),
problems AS (
  SELECT
    products.product_id,
    CASE WHEN detail IS NULL THEN 'no picture' ELSE 'unusable picture' END AS problem,
    detail
  FROM products LEFT JOIN unusable ON unusable.product_id = products.product_id
  WHERE image_sha256 IS NULL
  UNION ALL
  SELECT product_id, 'greyscale', mode FROM images WHERE mode IN ('1', 'L', 'LA')
  UNION ALL
  SELECT product_id, 'unusual shape', concat(width, 'x', height)
  FROM images CROSS JOIN shape
  WHERE abs(width / height / usual - 1) > 0.1
  UNION ALL
  SELECT product_id, 'shared picture', concat(products, ' products')
  FROM images JOIN shared ON shared.sha256 = images.sha256
)
SELECT products.product_id, product_display_name, article_type, problem, detail
FROM problems JOIN products ON products.product_id = problems.product_id
