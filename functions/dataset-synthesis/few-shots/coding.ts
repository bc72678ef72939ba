import { shot, type Shot } from './shot.ts';

const slices = {
  title: 'Slicing in Python',
  text: `A Python slice takes start, stop and step. Leaving out the step means 1. With a step of -1 the slice runs backwards, so "mill"[::-1] gives "llim". A slice never raises IndexError, even where stop lies beyond the end.`,
};
const http = {
  title: 'Status codes of the Larder API',
  text: `GET /jars/{id} answers 200 with the jar as JSON. Where no jar has that id it answers 404. A request without a token gets 401. The list endpoint returns at most 100 jars a page; pass the cursor of the last page to go on.`,
};
const git = {
  title: 'Undoing a commit',
  text: `git revert makes a new commit that undoes an earlier one and leaves history as it is. git reset --soft HEAD~1 drops the last commit but keeps its changes staged. The reflog keeps unreachable entries for 30 days by default.`,
};
const binary = {
  title: 'Binary search',
  text: `Binary search halves a sorted array at each step, so it needs O(log n) comparisons in the worst case. For an array of 1,000 items that is at most 10 comparisons.`,
};

export const CODING: readonly Shot[] = [
  shot(slices, 'Python beginner', 'In Python, what does the expression `"mill"[::-1]` evaluate to?', '"llim"', 'expression', 'With a step of -1 the slice runs backwards, so "mill"[::-1] gives "llim".', ["'llim'", 'llim']),
  shot(slices, 'code reviewer', 'Which exception does a Python slice never raise, even where its stop lies beyond the end of the sequence?', 'IndexError', 'name', 'A slice never raises IndexError, even where stop lies beyond the end.'),
  shot(http, 'front-end developer', 'With which HTTP status code does the Larder API answer `GET /jars/{id}` where no jar has that id?', '404', 'number', 'Where no jar has that id it answers 404.'),
  shot(http, 'integration tester', 'How many jars does the list endpoint of the Larder API return per page at most?', '100', 'number', 'The list endpoint returns at most 100 jars a page; pass the cursor of the last page to go on.'),
  shot(git, 'junior developer', 'Which command drops the last Git commit while keeping its changes staged?', 'git reset --soft HEAD~1', 'expression', 'git reset --soft HEAD~1 drops the last commit but keeps its changes staged.'),
  shot(binary, 'algorithms student', 'What is the worst-case number of comparisons of binary search on a sorted array of n items, in big O notation?', 'O(log n)', 'expression', 'Binary search halves a sorted array at each step, so it needs O(log n) comparisons in the worst case.', ['O(lg n)']),
]; // prettier-ignore
