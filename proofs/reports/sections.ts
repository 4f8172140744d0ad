import { faultsSection, linksSection, measuresSection } from './experiment-sections.ts';
import { deliveriesSection, latencySection, nodesSection, pairsSection } from './mesh-sections.ts';
import type { ReportModel } from './report-model.ts';
import {
  incidentsSection,
  missingSection,
  objectivesSection,
  verdictSection,
  windowsSection,
} from './run-sections.ts';
import type { Section } from './section.ts';

/** The parts of a report for people, the verdict first. */
export function sectionsOf(model: ReportModel): readonly Section[] {
  return [
    verdictSection(model),
    objectivesSection(model),
    windowsSection(model),
    pairsSection(model),
    latencySection(model),
    nodesSection(model),
    deliveriesSection(model),
    ...linksSection(model),
    ...faultsSection(model),
    ...measuresSection(model),
    missingSection(model),
    incidentsSection(model),
  ];
}
