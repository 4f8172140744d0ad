import { describe, expect, it } from 'vitest';
import { fakeLink, OWN_AGENT, OWN_MACHINE } from './fake-rooms.ts';
import { connectionStatus, healthOf } from './health.ts';

function healthAfter(uptimeSecs: number, peers: number) {
  return healthOf({
    facts: {
      agentId: OWN_AGENT,
      machineId: OWN_MACHINE,
      version: '0',
      instanceName: null,
      networkId: '',
      epoch: () => ({ boot_id: 'boot', uptime_secs: uptimeSecs }),
      warnings: () => [],
    },
    links: {
      links: () => Array.from({ length: peers }, (_, index) => fakeLink(`peer ${index}`)),
      onLink: () => () => {},
    },
  });
}

describe('health', () => {
  it.each([
    [0, 0, 'healthy', 'connecting'],
    [44, 0, 'healthy', 'connecting'],
    [45, 0, 'healthy', 'isolated'],
    [119, 0, 'healthy', 'isolated'],
    [120, 0, 'degraded', 'degraded'],
    [120, 1, 'healthy', 'connected'],
    [3, 2, 'healthy', 'connected'],
  ])('after %i s with %i peers is %s and %s', (uptimeSecs, peers, status, connection) => {
    const health = healthAfter(uptimeSecs, peers);
    expect(health).toMatchObject({ ok: true, status, peers, send_ready_peers: peers });
    expect('degraded_reason' in health).toBe(status === 'degraded');
    expect(connectionStatus(health, [])).toBe(connection);
  });

  it('with a warning is a degraded status, whatever the peers', () => {
    expect(connectionStatus(healthAfter(3, 2), ['something'])).toBe('degraded');
  });
});
