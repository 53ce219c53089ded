-- The catalogue by master category, the broadest.
--   master_category        master category, the broadest; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
SELECT master_category, count(*) AS products, count(*) / sum(count(*)) OVER () AS share
FROM products
GROUP BY master_category
