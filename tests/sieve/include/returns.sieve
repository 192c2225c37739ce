require ["include", "fileinto"];
if true { return; }
discard;
