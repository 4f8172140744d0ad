import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLog } from './command-log.ts';

let home: string;
let path: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'meshproof-log-'));
  path = join(home, 'commands.log');
});
afterEach(() => rmSync(home, { recursive: true }));

describe('CommandLog', () => {
  it('takes an id once', () => {
    const log = CommandLog.open(path, 0);
    expect(log.admit('a', 1_000, 0)).toBe('fresh');
    expect(log.admit('a', 1_000, 0)).toBe('duplicate');
  });

  it('still knows the id in a process started later', () => {
    CommandLog.open(path, 0).admit('a', 1_000, 0);
    expect(CommandLog.open(path, 999).admit('a', 1_000, 999)).toBe('duplicate');
  });

  it('forgets an id once its command has expired', () => {
    CommandLog.open(path, 0).admit('a', 1_000, 0);
    expect(CommandLog.open(path, 1_000).size).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('takes no more commands when full, and takes them again when old ones have expired', () => {
    const log = CommandLog.open(path, 0, 2);
    log.admit('a', 1_000, 0);
    log.admit('b', 2_000, 0);
    expect(log.admit('c', 2_000, 0)).toBe('full');
    expect(log.admit('c', 2_000, 1_500)).toBe('fresh');
    expect(log.admit('b', 2_000, 1_500)).toBe('duplicate');
  });

  it('passes over a torn last line: its command was never begun', () => {
    CommandLog.open(path, 0).admit('a', 1_000, 0);
    appendFileSync(path, '1000 b');
    const log = CommandLog.open(path, 0);
    expect(log.admit('a', 1_000, 0)).toBe('duplicate');
    expect(log.admit('b', 1_000, 0)).toBe('fresh');
  });

  it('does not start over damage, which could let a command run twice', () => {
    writeFileSync(path, '1000 a\n\0\0\0\n1000 b\n');
    expect(() => CommandLog.open(path, 0)).toThrow(/commands\.log:2/);
  });

  it('does not take an id that it cannot write down', () => {
    const log = CommandLog.open(path, 0);
    rmSync(home, { recursive: true });
    const admit = () => log.admit('a', 1_000, 0);
    expect(admit).toThrow(expect.objectContaining({ code: 'COMMAND_LOG_UNWRITABLE' }));
    expect(admit).toThrow();
    home = mkdtempSync(join(tmpdir(), 'meshproof-log-'));
  });
});
