import manifest from '../../package.json' with { type: 'json' };

/** The version of this rosterd: the one of package.json, which the compiler and the package put beside the code. */
export const version: string = manifest.version;
