import { describe, expect, it } from 'vitest';
import { parseEnd, parseUnits } from './deployed-units.ts';
import { type UnitSight, UnitWatch } from './unit-watch.ts';

const sight = (change: Partial<UnitSight> = {}): UnitSight => ({
  role: 'node',
  activeState: 'active',
  mainPid: 10,
  invocation: 'a',
  restarts: 0,
  ...change,
});

describe('watching a unit', () => {
  it('tells nothing of a process that runs on', () => {
    const watch = new UnitWatch();
    expect(watch.see([sight()])).toEqual([]);
    expect(watch.see([sight()])).toEqual([]);
  });

  it('tells a process that ended once, and whether it was started again between two looks', () => {
    const watch = new UnitWatch();
    watch.see([sight()]);
    const down = sight({ activeState: 'failed', mainPid: 0 });
    expect(watch.see([down])).toEqual([{ role: 'node', invocation: 'a', manner: 'unexpected' }]);
    expect(watch.see([down])).toEqual([]);
    expect(watch.see([sight({ invocation: 'b', mainPid: 11, restarts: 1 })])).toEqual([]);
    expect(watch.see([sight({ invocation: 'c', mainPid: 12, restarts: 2 })])).toEqual([
      { role: 'node', invocation: 'b', manner: 'unexpected' },
    ]);
  });

  it('tells every process that came and went unseen, by the count that systemd keeps', () => {
    const watch = new UnitWatch();
    watch.see([sight()]);
    expect(watch.see([sight({ invocation: 'd', restarts: 3 })])).toHaveLength(3);
  });

  it('expects only the end of the very process that was about to be ended', () => {
    const watch = new UnitWatch();
    watch.see([sight()]);
    watch.endExpected('node');
    expect(watch.see([sight({ invocation: 'b' })])).toMatchObject([{ manner: 'expected' }]);
    expect(watch.see([sight({ invocation: 'c', restarts: 1 })])).toMatchObject([{ manner: 'unexpected' }]);
  });

  it('does not take an end of the runner for one of the node', () => {
    const watch = new UnitWatch();
    watch.see([sight(), sight({ role: 'runner', invocation: 'r' })]);
    watch.endExpected('runner');
    expect(watch.see([sight({ mainPid: 0 }), sight({ role: 'runner', invocation: 'r' })])).toEqual([
      { role: 'node', invocation: 'a', manner: 'unexpected' },
    ]);
  });
});

describe('what systemd and its journal print', () => {
  it('is read unit by unit', () => {
    const text =
      'MainPID=0\nNRestarts=4\nId=meshproof-node.service\nActiveState=failed\nInvocationID=aa\n\n' +
      'MainPID=7\nNRestarts=0\nId=meshproof-runner.service\nActiveState=active\nInvocationID=bb\n';
    expect(parseUnits(text)).toEqual([
      { role: 'node', activeState: 'failed', mainPid: 0, invocation: 'aa', restarts: 4 },
      { role: 'runner', activeState: 'active', mainPid: 7, invocation: 'bb', restarts: 0 },
    ]);
  });

  it.for([
    [
      'a kill',
      '{"MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"killed","EXIT_STATUS":"9"}',
      null,
      'SIGKILL',
    ],
    [
      'a crash',
      '{"MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"exited","EXIT_STATUS":"70"}',
      70,
      null,
    ],
    ['an orderly end', '{"MESSAGE_ID":"7ad2d189f7e94e70a38c781354912448"}', 0, null],
    ['nothing', '', null, null],
  ] as const)('tells %s apart', ([, entries, code, signal]) => {
    expect(parseEnd(`${entries}\n===\none\ntwo\n`)).toEqual({ code, signal, lines: ['one', 'two'] });
  });
});
