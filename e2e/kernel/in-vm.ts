// Runs inside the virtual machine: `in-vm.mjs FAULTS LINK_ENDS DEATHS SEED`. Tries the fault program against a kernel
// that has netem, and prints what each check measured, a line of JSON each. Judging is the test's.
import { writeFile } from 'node:fs/promises';
import { messageOf } from '../../kit/errors.ts';
import { labLinkChecks } from './lab-link-checks.ts';
import { leaseChecks } from './lease-checks.ts';
import { packetChecks } from './packet-checks.ts';
import { VmHost } from './vm-host.ts';

const [program = '', linkEnds = '', deaths, seed] = process.argv.slice(2);

// The socket of a burst pays for every packet that waits in the qdisc.
for (const file of ['wmem_max', 'rmem_max']) {
  await writeFile(`/proc/sys/net/core/${file}`, String(64 * 1024 * 1024));
}
await using vm = await VmHost.open({ program, linkEnds });
const checks = {
  ...packetChecks(vm),
  ...leaseChecks(vm, { deaths: Number(deaths), seed: Number(seed) }),
  ...labLinkChecks(vm),
};
for (const [check, measure] of Object.entries(checks)) {
  const startMs = performance.now();
  const figures = await measure().catch(async (error: unknown) => {
    await vm.rig.ask('doctor', { heal: true }).catch(() => {}); // the next check begins clean; this one has failed
    return { error: messageOf(error) };
  });
  const secs = Math.round(performance.now() - startMs) / 1_000;
  process.stdout.write(`\n${JSON.stringify({ check, secs, figures })}\n`);
}
