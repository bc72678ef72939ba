import { shot, type Shot } from './shot.ts';

const school = {
  title: 'Brackenfield School: Key facts',
  text: `Founded: 1888
Pupils: 642 (2022)
Head teacher: Dr Olive Marsh (since September 2015)
Languages taught: French, Spanish, Welsh
Class size limit: 24 pupils`,
};
const montessori = {
  title: 'The first Casa dei Bambini',
  text: `Maria Montessori opened her first Casa dei Bambini in the San Lorenzo district of Rome on 6 January 1907. Children there chose their own tasks among prepared materials.`,
};
const spaced = {
  title: 'The spacing effect',
  text: `Learners remember more when study is spread out than when it is massed. Hermann Ebbinghaus described this spacing effect in 1885 after learning lists of nonsense syllables himself.`,
};

export const EDUCATION: readonly Shot[] = [
  shot(school, 'prospective parent', 'How many pupils did Brackenfield School have in 2022?', '642', 'number', 'Pupils: 642 (2022)'),
  shot(school, 'school inspector', 'Who has been head teacher of Brackenfield School since September 2015?', 'Dr Olive Marsh', 'name', 'Head teacher: Dr Olive Marsh (since September 2015)', ['Olive Marsh']),
  shot(school, 'language teacher', 'Which languages are taught at Brackenfield School, founded in 1888?', 'French; Spanish; Welsh', 'list', 'Languages taught: French, Spanish, Welsh'),
  shot(montessori, 'nursery teacher', 'On what date did Maria Montessori open her first Casa dei Bambini in Rome?', '6 January 1907', 'date', 'Maria Montessori opened her first Casa dei Bambini in the San Lorenzo district of Rome on 6 January 1907.'),
  shot(montessori, 'urban historian', 'In which district of Rome did Maria Montessori open her first Casa dei Bambini?', 'San Lorenzo', 'name', 'Maria Montessori opened her first Casa dei Bambini in the San Lorenzo district of Rome on 6 January 1907.'),
  shot(spaced, 'education student', 'Which psychologist described the spacing effect in 1885 after learning lists of nonsense syllables?', 'Hermann Ebbinghaus', 'name', 'Hermann Ebbinghaus described this spacing effect in 1885 after learning lists of nonsense syllables himself.', ['Ebbinghaus']),
]; // prettier-ignore
