import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDomain, parsePersonas } from '#functions/dataset-synthesis/gates/analysis.ts';

describe('[dataset-synthesis 3] what identify said', () => {
  it('names a listed domain in any case, and no other', () => {
    expect(parseDomain('natural science')).toBe('Natural Science');
    expect(parseDomain(' "TECHNOLOGY & ENGINEERING". ')).toBe('Technology & Engineering');
    expect(parseDomain('Sports')).toBeUndefined();
    expect(parseDomain(7)).toBeUndefined();
  });

  it('splits personas on commas outside brackets, trims them and drops empties and repeats', () => {
    expect(parsePersonas(' a , b,,c,d', 3)).toEqual(['a', 'b', 'c']);
    expect(parsePersonas('teachers (K-12, college)', 3)).toEqual(['teachers (K-12, college)']);
    expect(parsePersonas(['Nurse', ' nurse ', '', 5, 'medical  student'], 3)).toEqual([
      'Nurse',
      'medical student',
    ]);
    expect(parsePersonas({ a: 1 }, 3)).toEqual([]);
  });

  it('holds its bounds for any value', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.array(fc.anything()), fc.anything()),
        fc.integer({ min: 1, max: 3 }),
        (value, max) => {
          const personas = parsePersonas(value, max);
          expect(personas.length).toBeLessThanOrEqual(max);
          expect(new Set(personas.map((persona) => persona.toLowerCase())).size).toBe(personas.length);
          for (const persona of personas) expect(persona).toBe(persona.trim());
          parseDomain(value);
        },
      ),
    );
  });
});
