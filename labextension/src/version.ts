import description from '../package.json';

/** The version of this extension, which the Python package shares. */
export const VERSION: string = description.version;
