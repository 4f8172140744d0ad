/** How wide this terminal is and whether it takes colour; a pipe is 100 columns of plain text. */
export function terminalStyle(): { readonly width: number; readonly colour: 'on' | 'off' } {
  const colour = process.stdout.isTTY && !process.env.NO_COLOR;
  return { width: process.stdout.columns ?? 100, colour: colour ? 'on' : 'off' };
}
