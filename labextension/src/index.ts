import { proseCells } from './plugin';

export default [proseCells];
