import { shot, type Shot } from './shot.ts';

const squares = {
  title: 'Sums of odd numbers',
  text: `Add the odd numbers in order: 1, then 1 + 3 = 4, then 1 + 3 + 5 = 9. The sum of the first n odd numbers is n^2. So the first twelve odd numbers add up to 144.`,
};
const heron = {
  title: 'The area of a triangle from its sides',
  text: `For a triangle with sides 13, 14 and 15 the half perimeter is s = 21. Heron's formula gives the area as the square root of s(s - 13)(s - 14)(s - 15), which is the square root of 7056, that is 84.`,
};
const euler = {
  title: 'Vertices, edges, faces',
  text: `Every convex polyhedron satisfies V - E + F = 2, where V counts vertices, E edges and F faces. The relation is named after Leonhard Euler. A dodecahedron has 20 vertices and 30 edges, and so it has 12 faces.`,
};
const dice = {
  title: 'Two dice',
  text: `Two fair dice can fall in 36 ways. Six of them add up to seven, so the probability of a total of seven is 1/6, higher than that of any other total.`,
};

export const MATHS: readonly Shot[] = [
  shot(squares, 'number theory student', 'What is the sum 1 + 3 + 5 + ... of the first n odd positive integers, written in terms of n?', 'n^2', 'expression', 'The sum of the first n odd numbers is n^2.', ['n*n', 'n²']),
  shot(squares, 'mathematics teacher', 'Calculate the sum of the first twelve odd positive integers, starting from 1.', '144', 'number', 'So the first twelve odd numbers add up to 144.'),
  shot(heron, 'surveying trainee', 'A triangle has sides of 13, 14 and 15 units. What is its area in square units?', '84', 'number', "Heron's formula gives the area as the square root of s(s - 13)(s - 14)(s - 15), which is the square root of 7056, that is 84."),
  shot(euler, 'geometry student', 'Which relation between the number of vertices V, edges E and faces F holds for every convex polyhedron?', 'V - E + F = 2', 'expression', 'Every convex polyhedron satisfies V - E + F = 2, where V counts vertices, E edges and F faces.', ['V + F = E + 2']),
  shot(euler, 'history of mathematics reader', 'After which mathematician is the relation V - E + F = 2 for convex polyhedra named?', 'Leonhard Euler', 'name', 'The relation is named after Leonhard Euler.', ['Euler']),
  shot(dice, 'board game designer', 'When two fair six-sided dice are thrown, what is the probability that they add up to seven?', '1/6', 'number', 'Six of them add up to seven, so the probability of a total of seven is 1/6, higher than that of any other total.', ['6/36']),
]; // prettier-ignore
