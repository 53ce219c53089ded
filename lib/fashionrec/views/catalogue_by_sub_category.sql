-- The catalogue by sub-category.
--   sub_category           sub-category; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
SELECT sub_category, count(*) AS products, count(*) / sum(count(*)) OVER () AS share
FROM products
GROUP BY sub_category
