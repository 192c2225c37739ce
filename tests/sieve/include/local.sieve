require ["variables", "fileinto"];
set "a" "inner";
if header :matches "subject" "*" { }
