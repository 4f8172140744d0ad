/** Another bundle for the nodes of this fleet: newer, older, or the same programs under another name. */
export interface Upgrades {
  /**
   * From its next start on, the node runs the other bundle than now. Gives what that start has to show.
   * Throws `FaultError`: `UPGRADE_UNAVAILABLE` where the fleet has no second bundle, others where it cannot be brought there.
   */
  stage(node: string): Promise<{ readonly bundleSha256: string }>;
}
