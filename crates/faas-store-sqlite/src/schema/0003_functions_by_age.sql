-- Ids are in the order in which functions were made.
CREATE INDEX function_by_tenant ON function (tenant, id);
