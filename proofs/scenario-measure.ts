/** One figure that a scenario may record: what it is called stands in `scenario-measures.ts`. */
export interface ScenarioMeasure {
  /** `s`, `ms`, `MiB`, `1` (a plain number), `ratio`. */
  readonly unit: 's' | 'ms' | 'MiB' | '1' | 'ratio';
  readonly meaning: string;
  /** Who must have one: the mesh as a whole, every node, the nodes that a fault targets, or those that none does. */
  readonly of: 'mesh' | 'node' | 'target' | 'observer';
  /** How several figures (of peers, or of nodes in scope `fleet`) make one. */
  readonly pooled: 'greatest' | 'least' | 'sum';
  /** A figure that says whether the experiment was one: past its limit nothing was tested, which is no defect of the mesh. */
  readonly decides?: 'experiment';
}
