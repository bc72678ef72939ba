import { shot, type Shot } from './shot.ts';

const chess = {
  title: 'Castling in chess',
  text: `Castling moves king and rook in one turn: the king goes two squares towards the rook, which lands on the square the king crossed. It is the only move of chess in which two pieces of one side move at once.`,
};
const poet = {
  title: 'Edda Lindqvist',
  text: `The poet Edda Lindqvist was born in Karlsby in 1871. Her first collection, Salt and Linen, appeared in 1896 in an edition of 200 copies. She translated Sappho and kept bees.`,
};
const flag = {
  title: 'The flag of Orland',
  text: `The flag of Orland shows a silver salmon on a field of dark green. It was designed by the painter Anselm Krog and adopted on 12 May 1920. Its proportions are 2:3.`,
};

export const OTHER: readonly Shot[] = [
  shot(chess, 'chess beginner', 'When White castles in chess, how many squares does the king move towards the rook?', 'two', 'number', 'Castling moves king and rook in one turn: the king goes two squares towards the rook, which lands on the square the king crossed.', ['2']),
  shot(poet, 'literature student', 'What is the title of the first poetry collection of Edda Lindqvist, which appeared in 1896?', 'Salt and Linen', 'name', 'Her first collection, Salt and Linen, appeared in 1896 in an edition of 200 copies.'),
  shot(poet, 'local historian', 'In which town was the poet Edda Lindqvist born in 1871?', 'Karlsby', 'name', 'The poet Edda Lindqvist was born in Karlsby in 1871.'),
  shot(poet, 'rare book dealer', 'In an edition of how many copies did Salt and Linen by Edda Lindqvist first appear?', '200', 'number', 'Her first collection, Salt and Linen, appeared in 1896 in an edition of 200 copies.', ['200 copies']),
  shot(flag, 'flag collector', 'Which painter designed the flag of Orland, adopted on 12 May 1920?', 'Anselm Krog', 'name', 'It was designed by the painter Anselm Krog and adopted on 12 May 1920.', ['Krog']),
  shot(flag, 'heraldry enthusiast', 'Which animal does the flag of Orland, adopted in 1920, show on a dark green field?', 'a silver salmon', 'phrase', 'The flag of Orland shows a silver salmon on a field of dark green.', ['salmon', 'silver salmon']),
]; // prettier-ignore
