"""The event store on OpenSearch: a local journal acknowledges, the cluster keeps."""
