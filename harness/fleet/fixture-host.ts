import type { ExecOptions, ExecResult, Host } from './host.ts';

type Answer = (argv: readonly string[], options: ExecOptions) => Promise<string> | string;

/** Test-only: a host that runs nothing; `answer` gives what a command prints, or throws what stands in its way. */
export function fixtureHost(name: string, answer: Answer): Host {
  const no = () => Promise.reject(new Error(`${name} only runs commands`));
  return {
    name,
    exec: async (argv, options): Promise<ExecResult> => ({
      code: 0,
      stdout: await answer(argv, options),
      stderr: '',
    }),
    session: no,
    writeFile: no,
    connect: no,
    close: async () => {},
  };
}
