/**
 * `text` in lines of at most `width` columns where words allow it; what goes over continues below the first word of
 * its line. Text without colours: it counts characters.
 */
export function wrapLines(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, width))
    .join('\n');
}

function wrapLine(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const lead = /^\s*(?:- )?/.exec(line)?.[0] ?? '';
  const indent = ' '.repeat(lead.length + 2);
  const lines: string[] = [];
  let current = lead;
  let isStart = true;
  for (const word of line.slice(lead.length).split(' ')) {
    const joined = isStart ? current + word : `${current} ${word}`;
    if (!isStart && joined.length > width) {
      lines.push(current);
      current = indent + word;
    } else {
      current = joined;
    }
    isStart = false;
  }
  return [...lines, current];
}
