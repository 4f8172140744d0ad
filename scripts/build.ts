// Builds dist/, what the npm package ships beside the launcher.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDist } from './build-dist.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
await rm(dist, { recursive: true, force: true });
const digest = await buildDist(root, dist);
console.log(`dist/ built; node bundle ${digest.slice(0, 12)}`);
