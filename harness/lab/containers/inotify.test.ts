import { describe, expect, it } from 'vitest';
import { inotifyShortage } from './inotify.ts';

describe('the inotify instances that a lab needs', () => {
  it('are there for six hosts by the default of the kernel, but not for another fleet beside many others', () => {
    expect(inotifyShortage({ limit: 128, used: 10, hosts: 6 })).toBeUndefined();
    expect(inotifyShortage({ limit: 128, used: 80, hosts: 6 })).toBeUndefined();
    expect(inotifyShortage({ limit: 128, used: 81, hosts: 6 })).toMatch(
      /max_user_instances is 128, of which root uses 81; 6 hosts need 48 more: `sysctl fs\.inotify\.max_user_instances=1024`/,
    );
  });

  it('are asked for with room to spare', () => {
    expect(inotifyShortage({ limit: 1_024, used: 0, hosts: 200 })).toMatch(/max_user_instances=3200/);
  });
});
