import manifest from '../../package.json' with { type: 'json' };

/** Version of the meshproof package that this program was built from. */
export const VERSION: string = manifest.version;
