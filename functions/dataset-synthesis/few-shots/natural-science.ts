import { shot, type Shot } from './shot.ts';

const swift = {
  title: 'The common swift',
  text: `The common swift (Apus apus) eats, drinks and sleeps on the wing. Young birds may stay airborne for two to three years before they first nest. A swift lays two or three white eggs.`,
};
const mercury = {
  title: 'Mercury, the element',
  text: `Mercury is the only metal that is liquid at standard temperature and pressure. Its symbol, Hg, comes from the Latin hydrargyrum, meaning liquid silver. It freezes at -38.8 °C.`,
};
const moon = {
  title: 'Titan',
  text: `Titan is the largest moon of Saturn and the only moon known to have a dense atmosphere. Christiaan Huygens discovered it in 1655. The probe that landed there in January 2005 carries his name.`,
};

export const NATURAL_SCIENCE: readonly Shot[] = [
  shot(swift, 'birdwatcher', 'What is the scientific name of the bird commonly known in English as the common swift?', 'Apus apus', 'phrase', 'The common swift (Apus apus) eats, drinks and sleeps on the wing.'),
  shot(mercury, 'chemistry student', 'At what temperature does the element mercury (symbol Hg) freeze?', '-38.8 °C', 'quantity', 'It freezes at -38.8 °C.', ['−38.8 °C', '-38.8 degrees Celsius']),
  shot(mercury, 'Latin enthusiast', 'From which Latin word does Hg, the chemical symbol of mercury, come?', 'hydrargyrum', 'phrase', 'Its symbol, Hg, comes from the Latin hydrargyrum, meaning liquid silver.'),
  shot(mercury, 'science teacher', 'Which is the only metal, with the symbol Hg, that is liquid at standard temperature and pressure?', 'mercury', 'phrase', 'Mercury is the only metal that is liquid at standard temperature and pressure.'),
  shot(moon, 'amateur astronomer', 'Who discovered Titan, the largest moon of Saturn?', 'Christiaan Huygens', 'name', 'Christiaan Huygens discovered it in 1655.', ['Huygens']),
  shot(moon, 'spaceflight enthusiast', 'In which month and year did a probe land on Titan, the moon of Saturn?', 'January 2005', 'date', 'The probe that landed there in January 2005 carries his name.'),
]; // prettier-ignore
