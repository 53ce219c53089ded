-- The catalogue by usage.
--   usage                  such as Casual or Sports; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
SELECT usage, count(*) AS products, count(*) / sum(count(*)) OVER () AS share
FROM products
GROUP BY usage
