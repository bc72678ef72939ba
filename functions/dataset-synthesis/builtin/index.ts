/** The four roles played by plain algorithms: deterministic, English, no model (specification section 6). */
export { check } from './check.ts';
export { filter } from './filter.ts';
export { generate } from './generate.ts';
export { identify } from './identify.ts';
