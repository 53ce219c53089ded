-- The catalogue by article type, the finest category.
--   article_type           article type, the finest category; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
SELECT article_type, count(*) AS products, count(*) / sum(count(*)) OVER () AS share
FROM products
GROUP BY article_type
