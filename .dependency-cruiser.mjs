// The floors of ARCHITECTURE.md: imports run downwards only. A floor may import itself, kit, and what is listed.
const FLOORS = {
  kit: [],
  node: ['kit'],
  proofs: ['kit'],
  gates: ['proofs', 'kit'],
  runner: ['kit'],
  scenarios: ['proofs', 'kit'],
  harness: ['kit', 'node', 'proofs', 'gates', 'runner', 'scenarios'],
};

// Narrow doors between floors that are otherwise closed to each other.
const DOORS = {
  runner: ['node/client.ts', 'node/api/schema', 'node/api/schema.ts'],
  scenarios: ['node/pubsub/', 'node/sim/', 'node/api/schema/'],
};

const forbidden = Object.entries(FLOORS).map(([floor, below]) => {
  const allowed = [floor, ...below].map((name) => `${name}/`).concat(DOORS[floor] ?? []);
  return {
    name: `${floor}-imports-downwards`,
    severity: 'error',
    comment: `${floor}/ may import ${allowed.join(', ')} and npm packages only`,
    from: { path: `^${floor}/` },
    to: {
      path: '^(kit|node|proofs|gates|runner|scenarios|harness|bench|e2e|scripts|bin)/',
      pathNot: allowed.map((prefix) => `^${prefix}`),
    },
  };
});

export default {
  forbidden: [
    ...forbidden,
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'gates-are-pure',
      severity: 'error',
      comment: 'judging is a pure function of evidence and gate: no I/O in gates',
      from: { path: '^gates/', pathNot: '(\\.test|planted-defects)\\.ts$' },
      to: { path: '^(node:)?(fs|net|http|https|child_process|dgram|worker_threads)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist|bench/rivals)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
