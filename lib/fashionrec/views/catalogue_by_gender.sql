-- The catalogue by gender.
--   gender                 gender; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
SELECT gender, count(*) AS products, count(*) / sum(count(*)) OVER () AS share
FROM products
GROUP BY gender
