export { catalogFindings } from '#functions/catalog-check.ts';
