import { describe, expect, it } from 'vitest';
import { enterCommand, namesOfCapabilities } from './enter-host.ts';

describe('entering a host', () => {
  it('names capabilities by their bits, as setpriv takes them', () => {
    expect(namesOfCapabilities('0000000000001003')).toEqual(['cap_0', 'cap_1', 'cap_12']);
    expect(namesOfCapabilities('0000000000000000')).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')(
    'bounds the rights by those of the process it goes through',
    async () => {
      const command = await enterCommand(process.pid, ['true']);
      const at = command.indexOf('--bounding-set');
      expect(command.slice(0, 3)).toEqual(['nsenter', '--target', `${process.pid}`]);
      expect(command[at + 1]).toMatch(/^-all(,\+cap_\d+)*$/);
      expect(command.at(-1)).toBe('true');
    },
  );

  it('goes nowhere when the host has gone', async () => {
    await expect(enterCommand(4_194_305, ['true'])).rejects.toThrow(/switched off/); // above the kernel's largest pid
  });
});
