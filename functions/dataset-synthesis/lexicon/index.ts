export { PERSONAS, type Persona } from './personas.ts';
export { ASKING_WORDS } from './stop-words.ts';
export { CENTROID_TERMS } from './terms.ts';
