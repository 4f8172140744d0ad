// `npm run bench -- NAME`: each benchmark prints its figures as ratios against a named alternative in the same run.
const BENCHES = {
  transport: () => import('./transport.ts'),
  gossip: () => import('./gossip.ts'),
  matrix: () => import('./matrix.ts'),
  idle: () => import('./idle.ts'),
} satisfies Record<string, () => Promise<{ run(): Promise<void> }>>;

function isBench(name: string): name is keyof typeof BENCHES {
  return Object.hasOwn(BENCHES, name);
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !isBench(name));
if (wanted.length === 0 || unknown !== undefined) {
  if (unknown !== undefined) console.error(`"${unknown}" is not a benchmark`);
  console.error(`usage: npm run bench -- NAME…   (${Object.keys(BENCHES).join(', ')})`);
  process.exitCode = 64;
} else {
  for (const name of wanted) if (isBench(name)) await (await BENCHES[name]()).run();
}
