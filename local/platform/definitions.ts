export { definitionOf, definitionText } from '#functions/definitions.ts';
