import { runs } from './plugin';

export default runs;
