import * as z from 'zod';

/** Names become node, file and unit names. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const ADDRESS = /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$|^[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?$/;
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

export const ROLES = ['node', 'anchor', 'spare'] as const;

const name = z
  .string('expected a name')
  .regex(NAME, 'expected a name of letters, digits, ".", "_" and "-", at most 63');
const address = z.string('expected an address').regex(ADDRESS, 'expected a host name or an IP address');
const port = z.int('expected a port from 1 to 65535').min(1, 'expected a port from 1 to 65535').max(65_535, {
  error: 'expected a port from 1 to 65535',
});
const text = (what: string) => z.string(`expected ${what}`).min(1, `expected ${what}`);

export const fingerprintSchema = z
  .string('expected a host key fingerprint like "SHA256:…"')
  .regex(FINGERPRINT, 'expected "SHA256:" and 43 characters, as "ssh-keygen -lf" prints it');

/** How sshd on a machine is reached: what a host and a jump host have in common. */
const sshFields = {
  name,
  address,
  port: port.default(22),
  user: z.string('expected a user name').regex(USER, 'expected a user name').default('root'),
  key: text('the path of a private key').optional(),
  agent: z.boolean('expected true or false').default(false),
  host_key: fingerprintSchema.optional(),
  proxy_command: z
    .array(text('an argument'), 'expected a list: a program and its arguments')
    .min(1, 'expected a program and its arguments')
    .optional(),
  jump: name.optional(),
};

const host = z.strictObject({
  ...sshFields,
  region: text('a region').optional(),
  mesh_address: address.optional(),
  udp_port: port.default(5_483),
  api_port: port.default(12_700),
  runner_port: port.default(12_701),
  roles: z
    .array(z.enum(ROLES, `expected one of ${ROLES.join(', ')}`), 'expected a list of roles')
    .min(1, `expected at least one of ${ROLES.join(', ')}`)
    .default(['node']),
});

const jump = z.strictObject(sshFields);

/** The file `meshproof.inventory.v1` as it is written; `inventory.ts` makes it the inventory of a run. */
export const inventoryFileSchema = z
  .strictObject({
    format: z.literal('meshproof.inventory.v1', 'expected "meshproof.inventory.v1"'),
    network: z
      .string('expected a name')
      .regex(/^[\x21-\x7e]{1,64}$/, 'expected a name of at most 64 characters without spaces')
      .default('test'),
    environment: text('the name of the environment').default('test'),
    lab: z
      .strictObject({ dir: text('the directory of a lab') }, 'expected a [lab] table')
      .optional()
      .describe(
        'these hosts are machines of the lab in that directory, whose links a run seals with its plan',
      ),
    host: z.array(host, 'expected [[host]] tables').min(1, 'expected at least one [[host]]'),
    jump: z.array(jump, 'expected [[jump]] tables').default([]),
  })
  .superRefine((file, context) => {
    for (const problem of problemsOf(file)) context.addIssue({ code: 'custom', ...problem });
  });

export type InventoryFile = z.infer<typeof inventoryFileSchema>;
type SshEntry = z.infer<typeof jump>;

interface Problem {
  readonly path: (string | number)[];
  readonly message: string;
}

function* problemsOf(file: Pick<InventoryFile, 'host' | 'jump'>): Generator<Problem> {
  const entries: readonly (readonly [path: readonly (string | number)[], entry: SshEntry])[] = [
    ...file.host.map((entry, at) => [['host', at], entry] as const),
    ...file.jump.map((entry, at) => [['jump', at], entry] as const),
  ];
  const named = new Map<string, SshEntry>();
  for (const [path, entry] of entries) {
    if (named.has(entry.name)) yield { path: [...path, 'name'], message: 'names must be unique' };
    named.set(entry.name, entry);
  }
  for (const [path, entry] of entries) yield* reachProblems(path, entry, named);
  yield* meshProblems(file.host);
}

function* reachProblems(
  path: readonly (string | number)[],
  entry: SshEntry,
  named: ReadonlyMap<string, SshEntry>,
): Generator<Problem> {
  if (entry.key === undefined && !entry.agent) {
    yield { path: [...path, 'key'], message: 'expected the path of a private key, or agent = true' };
  }
  if (entry.key !== undefined && entry.agent) {
    yield { path: [...path, 'agent'], message: 'expected either key or agent = true, not both' };
  }
  if (entry.jump === undefined) return;
  if (entry.proxy_command !== undefined) {
    yield { path: [...path, 'jump'], message: 'expected either jump or proxy_command, not both' };
  }
  const seen = new Set([entry.name]);
  for (let next: string | undefined = entry.jump; next !== undefined; next = named.get(next)?.jump) {
    if (!named.has(next)) {
      yield { path: [...path, 'jump'], message: `expected the name of a [[host]] or [[jump]]; no ${next}` };
      return;
    }
    if (seen.has(next)) {
      yield { path: [...path, 'jump'], message: 'expected a way that ends; this one leads back to itself' };
      return;
    }
    seen.add(next);
  }
}

function* meshProblems(hosts: InventoryFile['host']): Generator<Problem> {
  const anchors = hosts.filter(({ roles }) => roles.includes('anchor'));
  const places = new Map<string, string>();
  for (const [at, entry] of hosts.entries()) {
    const path = ['host', at];
    if (entry.roles.includes('spare') && entry.roles.length > 1) {
      yield { path: [...path, 'roles'], message: 'a spare host has no other role' };
    }
    if (entry.roles.includes('anchor') && entry !== anchors[0]) {
      yield { path: [...path, 'roles'], message: `the anchor is ${anchors[0]?.name} already` };
    }
    if (entry.api_port === entry.runner_port) {
      yield { path: [...path, 'runner_port'], message: 'expected another port than api_port' };
    }
    const place = `${entry.mesh_address ?? entry.address}:${entry.udp_port}`;
    const other = places.get(place);
    if (other !== undefined) {
      yield { path: [...path, 'udp_port'], message: `${other} is at ${place} already` };
    }
    places.set(place, entry.name);
  }
}
