import { dirname, join } from 'node:path';
import { makeDirectories, replaceFile, syncDirectory } from '../../kit/durable-file.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import type { Verdict } from '../evidence.ts';
import type { Proof } from '../read-proof.ts';
import { renderFaultsCsv } from './faults-csv.ts';
import { buildReportModel } from './report-model.ts';
import { scenarioArtifacts } from './scenario-artifacts.ts';
import { renderSummaryCsv } from './summary-csv.ts';
import { renderSummaryJson } from './summary-json.ts';
import { renderSummaryMarkdown } from './summary-md.ts';
import { renderTimelineCsv } from './timeline-csv.ts';

/**
 * Renders the reports of a judged proof into its directory, replacing older ones, and gives their names. The bytes
 * depend on the records and the verdict alone.
 * @throws FaultError `REPORT_WRITE_FAILED`
 */
export async function writeReports(proof: Proof, verdict: Verdict): Promise<readonly string[]> {
  const model = buildReportModel(proof, verdict);
  const reports = {
    'summary.md': renderSummaryMarkdown(model),
    'summary.csv': await renderSummaryCsv(model),
    'summary.json': renderSummaryJson(model),
    'faults.csv': await renderFaultsCsv(model),
    'timeline.csv': await renderTimelineCsv(model),
    ...scenarioArtifacts(proof),
  };
  try {
    for (const [name, text] of Object.entries(reports)) {
      const path = join(proof.dir, name);
      if (name.includes('/')) await makeDirectories(dirname(path));
      await replaceFile(path, Buffer.from(text));
    }
    await syncDirectory(proof.dir);
  } catch (error) {
    throw new FaultError(
      'REPORT_WRITE_FAILED',
      `cannot write the reports into ${proof.dir}: ${messageOf(error)}`,
      {
        details: { dir: proof.dir },
        cause: error,
      },
    );
  }
  return Object.keys(reports);
}
