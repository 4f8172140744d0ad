import { createInterface } from 'node:readline/promises';

/** A person at a terminal. */
export interface Terminal {
  /** Asks and gives the answer without blanks around it; empty when the person closes the input. */
  ask(question: string, signal: AbortSignal): Promise<string>;
}

/** The person at this terminal; null when input or output lead elsewhere. */
export function terminalHere(): Terminal | null {
  const { stdin, stderr } = process;
  if (!stdin.isTTY || !stderr.isTTY) return null;
  return {
    ask: async (question, signal) => {
      const line = createInterface({ input: stdin, output: stderr }); // stdout is for results
      try {
        const closed = new Promise<string>((resolve) => line.once('close', () => resolve('')));
        return (await Promise.race([line.question(question, { signal }), closed])).trim();
      } finally {
        line.close();
      }
    },
  };
}
