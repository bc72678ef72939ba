import { shot, type Shot } from './shot.ts';

const scurvy = {
  title: 'Scurvy at sea',
  text: `Scurvy is caused by a lack of vitamin C. In 1747 the naval surgeon James Lind gave six pairs of sick sailors different remedies; only the pair that ate oranges and lemons recovered within a week.`,
};
const bones = {
  title: 'Bones of the adult body',
  text: `An adult human skeleton has 206 bones, fewer than at birth, because some grow together. The longest is the femur, or thigh bone; the smallest is the stapes in the middle ear, about 3 mm long.`,
};
const insulin = {
  title: 'Insulin',
  text: `Insulin is made by the beta cells of the pancreas and lets cells take up glucose. Frederick Banting and Charles Best isolated it in Toronto in 1921. The first patient treated was Leonard Thompson, aged 14.`,
};

export const MEDICINE: readonly Shot[] = [
  shot(scurvy, 'nutrition student', 'A lack of which nutrient caused scurvy, the disease that James Lind studied in 1747?', 'vitamin C', 'phrase', 'Scurvy is caused by a lack of vitamin C.', ['ascorbic acid']),
  shot(scurvy, 'historian of medicine', 'Which naval surgeon tested remedies for scurvy on six pairs of sailors in 1747?', 'James Lind', 'name', 'In 1747 the naval surgeon James Lind gave six pairs of sick sailors different remedies; only the pair that ate oranges and lemons recovered within a week.', ['Lind']),
  shot(bones, 'anatomy student', 'How many bones does the skeleton of an adult of the species Homo sapiens have?', '206', 'number', 'An adult human skeleton has 206 bones, fewer than at birth, because some grow together.'),
  shot(bones, 'hearing specialist', 'Which bone, about 3 mm long, is the smallest in the adult human body?', 'the stapes', 'phrase', 'The longest is the femur, or thigh bone; the smallest is the stapes in the middle ear, about 3 mm long.', ['stapes', 'stirrup']),
  shot(insulin, 'medical student', 'Which cells of the pancreas make insulin, the hormone isolated by Banting and Best?', 'beta cells', 'phrase', 'Insulin is made by the beta cells of the pancreas and lets cells take up glucose.', ['β cells', 'the beta cells']),
  shot(insulin, 'medical historian', 'Who was the first patient treated with the insulin that Banting and Best isolated in Toronto?', 'Leonard Thompson', 'name', 'The first patient treated was Leonard Thompson, aged 14.'),
]; // prettier-ignore
