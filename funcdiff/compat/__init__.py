"""Programs written for other libraries, run on funcdiff; nothing here is imported by `import funcdiff`."""
