import { shot, type Shot } from './shot.ts';

const ferry = {
  title: 'Crossing to Lissay',
  text: `The ferry from Portmorna to the island of Lissay takes 55 minutes. Cars must be booked; bicycles travel free. From the pier it is a walk of 3 km to the ruined chapel of Saint Brannoc, built in 1240.`,
};
const dumpling = {
  title: 'Potato dumplings, Oberhain style',
  text: `Grate one kilogram of floury potatoes, press out the water and mix them with 80 g of starch and a pinch of nutmeg. Shape eight dumplings and let them simmer in salted water for 20 minutes. In Oberhain they are filled with fried bread cubes.`,
};
const hike = {
  title: 'The Kestrel Way',
  text: `The Kestrel Way runs for 134 km from Ashby Moor to Tarn Head and is usually walked in seven days. Its highest point is Gannet Fell at 812 m. Waymarks show a white bird on a green disc.`,
};

export const TRAVEL: readonly Shot[] = [
  shot(ferry, 'island visitor', 'How long does the ferry from Portmorna to the island of Lissay take?', '55 minutes', 'quantity', 'The ferry from Portmorna to the island of Lissay takes 55 minutes.', ['55 min']),
  shot(ferry, 'church architecture enthusiast', 'In what year was the chapel of Saint Brannoc on the island of Lissay built?', '1240', 'date', 'From the pier it is a walk of 3 km to the ruined chapel of Saint Brannoc, built in 1240.'),
  shot(dumpling, 'home cook', 'For how long should potato dumplings in the style of Oberhain simmer in salted water?', '20 minutes', 'quantity', 'Shape eight dumplings and let them simmer in salted water for 20 minutes.'),
  shot(dumpling, 'food writer', 'With what are potato dumplings filled in Oberhain?', 'fried bread cubes', 'phrase', 'In Oberhain they are filled with fried bread cubes.', ['cubes of fried bread']),
  shot(hike, 'long-distance walker', 'What is the highest point of the Kestrel Way, the path from Ashby Moor to Tarn Head?', 'Gannet Fell', 'name', 'Its highest point is Gannet Fell at 812 m.'),
  shot(hike, 'guidebook editor', 'How long is the Kestrel Way, the walking route from Ashby Moor to Tarn Head?', '134 km', 'quantity', 'The Kestrel Way runs for 134 km from Ashby Moor to Tarn Head and is usually walked in seven days.', ['134 kilometres']),
]; // prettier-ignore
