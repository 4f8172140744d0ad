import { expect, test } from 'vitest';
import { dialableAddress, whyRefuseHearsay } from './hearsay.ts';

const afar = { host: '203.0.113.9', port: 4_000 };
const near = { host: '127.0.0.1', port: 4_000 };
const told = (host: string, port = 5_000, teller = afar, peerId = 'b') =>
  whyRefuseHearsay({ peerId, address: { host, port } }, { ownId: 'a', teller });

test('routable addresses of others are believed', () => {
  for (const host of ['198.51.100.7', '10.0.0.1', '2001:db8::7', 'fd00::1']) expect(told(host)).toBeNull();
});

test('own id, names, port 0, wildcards, link-local, multicast and broadcast are refused', () => {
  expect(told('198.51.100.7', 5_000, afar, 'a')).toBe('own_id');
  expect(told('internal.example')).toBe('not_an_ip');
  expect(told('198.51.100.7', 0)).toBe('unroutable');
  for (const host of [
    '0.0.0.0',
    '::',
    '169.254.1.1',
    'fe80::1',
    'fe80::1%eth0',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
  ]) {
    expect([host, told(host)]).toEqual([host, 'unroutable']);
  }
});

test('loopback is believed from a peer on this machine only', () => {
  for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    expect(told(host)).toBe('loopback_from_afar');
    expect(told(host, 5_000, near)).toBeNull();
  }
});

test('a peer that listens everywhere is dialled at the host it is seen from', () => {
  expect(dialableAddress({ host: '0.0.0.0', port: 7 }, afar)).toEqual({ host: afar.host, port: 7 });
  expect(dialableAddress({ host: '::', port: 7 }, afar)).toEqual({ host: afar.host, port: 7 });
  expect(dialableAddress({ host: '192.0.2.1', port: 7 }, afar)).toEqual({ host: '192.0.2.1', port: 7 });
});
